"""Questions handed over by the file: providers' batch interfaces, at their lower price.

A batch outlives the process that submitted it. What is needed to find it again and to tell whose
answer a line is travels with it: see `lines.custom_id`.
"""
