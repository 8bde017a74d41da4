"""contractnet: a market in which agents bargain for GPUs and API tokens with virtual credits."""
