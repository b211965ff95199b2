"""What turns features into class scores: trained over epochs, or fitted in one step."""
