"""Reading suites: files of prompts, promptfoo's files, and what is pasted.

docs/assertions.md says what each kind of file may have.
"""

from comparator.evaluation.suite_files.bounds import MOST_BYTES as MOST_BYTES
from comparator.evaluation.suite_files.bounds import MOST_ITEMS as MOST_ITEMS
from comparator.evaluation.suite_files.reading import ENDINGS as ENDINGS
from comparator.evaluation.suite_files.reading import PARQUET as PARQUET
from comparator.evaluation.suite_files.reading import ending_of as ending_of
from comparator.evaluation.suite_files.reading import parsed as parsed
from comparator.evaluation.suite_files.reading import pasted as pasted
from comparator.evaluation.suite_files.reading import read as read
