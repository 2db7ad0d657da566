"""Who may talk to the dashboard's server: ASGI middleware before Streamlit, and what happens at its start and end."""
