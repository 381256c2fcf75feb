package term

const terminalInput, terminalOutput = "CONIN$", "CONOUT$"
