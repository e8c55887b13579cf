"""One question, up to four slots: request, runs, results, exports."""
