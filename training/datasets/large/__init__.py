"""Interactions that do not fit into memory, from a user's file to a prepared folder.

What grows with the interactions is on disk at every stage, and a stage holds a part of them at a
time; what grows with the users and items (their ids, a count each) is in memory, as it is when a
model of them is trained. Polars' streaming engine reads, checks, numbers and parts the rows; from
then on they are numbers, and numpy does the rest, part by part.
"""
