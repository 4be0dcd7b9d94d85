"""The inbox: how one service hands work to another, through MongoDB, with a doorbell in Redis."""
