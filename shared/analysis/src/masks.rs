//! What is not skin, told by colour: beard, hair, glasses, gloss.
