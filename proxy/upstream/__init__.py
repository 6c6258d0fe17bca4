"""HTTP/1.1 towards providers; owns sockets, parsing and keep-alive, refuses to know what is in a body."""
