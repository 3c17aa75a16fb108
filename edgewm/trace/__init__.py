"""Who leaked it: copies of one int8 model that differ in a few weights, each for one recipient.

    plan     which weights carry the code, and how each of them is biased: the same for every copy
    code     a recipient's symbols, and what a suspect's weights score for them
    tail     the exact chance that an innocent recipient scores as much
    issue    a copy for one recipient
    align    a suspect's weights beside the base file's, without looking at any code
    image    the same where only a firmware image is left
    read     who is named

The code is Tardos' (STOC 2003) with the discrete biases of Nuida et al. (2009) and the symmetric score of
Skoric, Katzenbeisser and Celik (2008). A recipient's symbols come from the key's stream, so one copy tells
nothing of another, and an innocent recipient's are independent of the suspect: that makes the tail exact.
The owner can make every copy, so a trace is for the owner and convinces nobody else.
"""
