"""Attribution: which part of a page a model's answer depends on, and whether that can be trusted."""
