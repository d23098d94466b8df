"""Agents on the Hugging Face Hub: fetched as files, by the hub's own client.

What is fetched is read like any other stranger's file; the hub vouches for nothing.
"""

from rltransfer_agents.reading.hub.fetching import FetchedAgent, fetch_agent, is_on_hub

__all__ = ["FetchedAgent", "fetch_agent", "is_on_hub"]
