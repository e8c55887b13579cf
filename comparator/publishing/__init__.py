"""Making a Hugging Face Space of this project: what is uploaded, and the upload."""
