"""Maps of where a model looks, and what they are worth where the truth is known."""
