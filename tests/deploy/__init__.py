"""The files of deploy/: the image, compose, Kubernetes."""
