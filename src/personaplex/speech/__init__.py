"""Other people's speech engines behind small protocols: text to speech, recognition, voice activity, speaker embeddings."""
