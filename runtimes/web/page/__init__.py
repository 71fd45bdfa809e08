"""The page of one episode: its actions, the steps they take, and the record of each."""
