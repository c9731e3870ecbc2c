"""The wallet's pages in a real Chromium: what they weigh and how soon they are there, and every screen every way."""
