"""What is materialized and when: one folder a stage, in the order the data travels."""
