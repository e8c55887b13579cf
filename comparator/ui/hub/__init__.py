"""The tab that searches and fetches from the Hugging Face Hub."""
