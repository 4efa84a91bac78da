"""Other people's speech engines behind small protocols: synthesis, recognition, voice activity, speaker embeddings."""
