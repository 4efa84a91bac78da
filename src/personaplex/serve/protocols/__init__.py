"""What clients speak: one file each. A protocol knows its own messages and a `Session`, nothing of engines."""
