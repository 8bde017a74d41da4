"""The sections of the campaign, one kind of fault a file, in the order in which they run."""
