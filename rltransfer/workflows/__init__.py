"""What each verb does, from request to result; no printing and no parsing."""
