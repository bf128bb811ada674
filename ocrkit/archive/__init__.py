"""Reading many files, and writing the results in the formats that archives use."""
