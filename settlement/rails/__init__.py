"""How merchants pay in and are paid out: instructions, the port that rails stand behind, and the rails."""
