"""Synthetic conversations: scenarios, scripts, speech and timed two-channel dialogues, written as files."""
