"""Attribution: which parts of a page a model's answer depends on, and whether that is faithful."""
