"""What inference takes and costs: power models, attribution, cloud baselines. Pure.

Nothing here reads a clock, a file of the user's or a meter; whoever does hands it in.
"""
