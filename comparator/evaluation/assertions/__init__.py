"""What an answer must be: checked before anything runs, and graded on its text alone.

The names are promptfoo's, and so is what they mean (docs/assertions.md says where it differs):
https://www.promptfoo.dev/docs/configuration/expected-outputs/deterministic/
"""

from comparator.evaluation.assertions.checking import MOST_ASSERTIONS as MOST_ASSERTIONS
from comparator.evaluation.assertions.checking import check as check
from comparator.evaluation.assertions.grading import WAITS as WAITS
from comparator.evaluation.assertions.grading import Grader as Grader
from comparator.evaluation.assertions.names import NAMES as NAMES
