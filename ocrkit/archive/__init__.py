"""The archive: many files in, results in the formats that archives take out."""
