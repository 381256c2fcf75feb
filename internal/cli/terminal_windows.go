package cli

const terminalInput, terminalOutput = "CONIN$", "CONOUT$"
