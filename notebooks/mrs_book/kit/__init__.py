"""What every page uses: building, executing, tables, figures and prose."""
