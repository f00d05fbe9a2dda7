"""DOD: the Dreem Open Datasets, each night scored by five people."""
