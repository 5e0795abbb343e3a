"""Results as people and programs read them. Each result becomes a document of tables once; each format draws documents."""
