package vault

const terminalInput, terminalOutput = "CONIN$", "CONOUT$"
