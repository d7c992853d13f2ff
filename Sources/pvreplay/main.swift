import PVReplayCommands

PVReplay.main()
