"""HTTP ⇄ records: the paths, the bodies, the credentials, and the answers."""
