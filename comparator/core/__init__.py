"""Values: models, configuration, exceptions. Nothing here imports anything else of ours."""
