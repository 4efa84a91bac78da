"""Neural audio codecs with Mimi's contract: 24 kHz sound to codes at 12.5 frames a second and back. Knows no files."""
