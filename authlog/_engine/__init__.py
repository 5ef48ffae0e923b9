"""How it works, in reading order.

text, layout, files, lock, surroundings   what the rest stands on
codec, state, foreign                     pure: bytes and values
log, snapshot, mark                       one file each: the segment, auth.json, published.json
store, rotation, publish, opening         the protocol, over all of them
reading, history, health                  what is asked of it
"""
