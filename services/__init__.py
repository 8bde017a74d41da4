"""What runs a market on one machine: supervision (`up`), and a swarm of agents (`demo`, `simulate`).

The one package that may import all others; nothing imports it. The command line finds it by name.
"""
