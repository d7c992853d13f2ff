print("pvreplay")
