"""Which pretrained backbone, trained how, works best on these medical images, and is the difference real?"""
