"""The browser of a process and its contexts: started, admitted, replaced and ended."""
