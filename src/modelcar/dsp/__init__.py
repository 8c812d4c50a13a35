"""Submit to and schedule on a Data Science Pipelines server, by the API v2beta1 of KFP 2.x.

The generated client `kfp_server_api` is asked directly. `kfp.Client` around it reads and writes
files in the user's home, prints to standard output, and takes neither a CA bundle besides the
system's nor a token that changes.
"""
