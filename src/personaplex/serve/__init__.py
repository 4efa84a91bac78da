"""Conversations over the network: the app, the protocols, the web page.

Knows sockets, clients and what travels between them. Does not know torch: it talks to the engine through a mailbox.
"""
