"""What the library costs, beside langchain-core and beside plain generators: `python -m benchmarks`."""
