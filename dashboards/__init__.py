"""The dashboard; its modules import each other by their plain names, as Streamlit finds them."""
