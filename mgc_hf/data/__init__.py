"""From a source of music to clips, splits and segments: ids and audio, no model."""
