// Before the page is drawn: the colours that its reader chose the last time.
document.body.dataset.theme = localStorage.getItem('theme') || 'auto';
