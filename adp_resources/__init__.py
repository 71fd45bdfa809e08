"""What assets are handed: settings, the database, the journal, Parquet files, the fan-out engine."""
